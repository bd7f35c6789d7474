-- DROP: forget the ids of keys for which nothing waits. ARGV: keys. Answers how many are forgotten altogether.
-- A key in ready or parked stays there with one '+' (its list can't be searched): whoever takes it finds nothing and acks.
-- An active key is its worker's and stays.
even_when_out_of_memory()
local forgotten = 0
for _, key in ipairs(ARGV) do
  local state, ids = call('HGET', STATE, key), IDS .. key
  if state == 'backoff' or state == 'paused' then
    change('depth', -call('LLEN', ids))
    call('DEL', ids)
    call('ZREM', DUE, key)
    call('HDEL', STATE, key)
    call('HDEL', CRASHES, key)
    call('HDEL', ALONE, key)
    forgotten = forgotten + 1
  elseif state == 'ready' or state == 'parked' then
    change('depth', 1 - call('LLEN', ids))
    call('DEL', ids)
    call('RPUSH', ids, UNKNOWN_ID)
  end
end
close()
return forgotten
