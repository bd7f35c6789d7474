-- NUDGE: keys in backoff become ready now, at the front (a retry by hand, a cancelled head). ARGV: keys. Answers how many.
even_when_out_of_memory()
local ready = 0
for _, key in ipairs(ARGV) do
  if call('HGET', STATE, key) == 'backoff' then
    call('ZREM', DUE, key)
    make_ready(key, true)
    ready = ready + 1
  end
end
close()
return ready
