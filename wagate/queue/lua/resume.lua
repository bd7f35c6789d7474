-- RESUME: hand out again. ARGV: the keys to resume; none: the whole queue. Answers keys made ready.
even_when_out_of_memory()
local ready = 0
if #ARGV == 0 then call('DEL', PAUSED) end
for _, key in ipairs(ARGV) do
  call('SREM', PAUSED_KEYS, key)
  if call('HGET', STATE, key) == 'paused' then
    make_ready(key)
    ready = ready + 1
  end
end
close()
return ready
