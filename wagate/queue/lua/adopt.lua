-- ADOPT: after a lost answer, what is really in hand goes over to the worker's new name; REAP frees the rest.
-- ARGV: old worker, new worker, then (key, token) pairs. Answers how many went over. Doing it twice is harmless.
even_when_out_of_memory()
local old, new = ARGV[1], ARGV[2]
call('HINCRBY', WORKERS, new, 1)
local adopted = 0
for i = 3, #ARGV, 2 do
  local key, token = ARGV[i], ARGV[i + 1]
  if call('HGET', STATE, key) == 'active:' .. old .. ':' .. token then
    call('HSET', STATE, key, 'active:' .. new .. ':' .. token)
    call('SMOVE', HELD .. old, HELD .. new, key)
    adopted = adopted + 1
  end
end
return adopted
