-- ENQUEUE: ring for ids. ARGV: most ids kept, then (key, id) pairs. Answers how many were refused.
-- An id that stands at the tail already is dropped; any other duplicate is harmless.
local most = tonumber(ARGV[1])
local depth = tonumber(call('HGET', COUNTERS, 'depth') or 0)
local refused = 0
for i = 2, #ARGV, 2 do
  local key, id = ARGV[i], ARGV[i + 1]
  local ids = IDS .. key
  if call('LINDEX', ids, -1) ~= id then
    if depth + changes.depth >= most then
      refused = refused + 1
    else
      call('RPUSH', ids, id)
      change('depth', 1)
      if call('HEXISTS', STATE, key) == 0 then make_ready(key) end
    end
  end
end
if refused > 0 then call('SET', OVERFLOW, '1') end
close()
return refused
