-- UNPARK: keys parked for a target go to the end of ready, in order of parking. ARGV: target, most keys.
-- Answers keys made ready, keys still parked.
even_when_out_of_memory()
local target, list = ARGV[1], PARKED .. ARGV[1]
local ready = 0
for _ = 1, tonumber(ARGV[2]) do
  local key = call('LPOP', list)
  if not key then break end
  if call('HGET', STATE, key) == 'parked' then
    change('parked', -1)
    make_ready(key)
    ready = ready + 1
  end
end
local left = call('LLEN', list)
if left == 0 then call('ZREM', PARKED_TARGETS, target) end
close()
return {ready, left}
