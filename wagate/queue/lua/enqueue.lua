-- ENQUEUE: ring for ids. ARGV: most ids kept, then (key, id, target) triples. Answers how many were refused.
-- An id that stands at the tail already is dropped; any other duplicate is harmless.
-- A new key is ready; with a target that is not '' it is parked with it: many at once, behind which nobody shall wait.
local most = tonumber(ARGV[1])
local depth = tonumber(call('HGET', COUNTERS, 'depth') or 0)
local refused = 0
for i = 2, #ARGV, 3 do
  local key, id, target = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local ids = IDS .. key
  if call('LINDEX', ids, -1) ~= id then
    if depth + changes.depth >= most then
      refused = refused + 1
    else
      call('RPUSH', ids, id)
      change('depth', 1)
      if call('HEXISTS', STATE, key) == 0 then
        if target == '' then make_ready(key) else park(key, target) end
      end
    end
  end
end
if refused > 0 then call('SET', OVERFLOW, '1') end
close()
return refused
