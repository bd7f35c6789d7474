-- REAP and RELEASE: make what a worker holds ready again, at the front, a slice at a time.
-- ARGV: worker, its heartbeat as last seen ('' does not matter), most keys, 1 when it died (counts a crash for each key, and that
-- it was alone when the worker held nothing else: then nothing else can be at fault).
-- Answers keys made ready, keys still held. A worker whose heartbeat has moved is alive and keeps its keys.
local worker, held = ARGV[1], HELD .. ARGV[1]
if ARGV[2] ~= '' and call('HGET', WORKERS, worker) ~= ARGV[2] then return {0, 0} end
even_when_out_of_memory()
local mine = 'active:' .. worker .. ':'
local alone = ARGV[4] == '1' and call('SCARD', held) == 1
local ready = 0
for _, key in ipairs(call('SPOP', held, ARGV[3])) do
  if string.sub(call('HGET', STATE, key) or '', 1, #mine) == mine then
    if ARGV[4] == '1' then call('HINCRBY', CRASHES, key, 1) end
    if alone then call('HINCRBY', ALONE, key, 1) end
    change('active', -1)
    make_ready(key, true)
    ready = ready + 1
  end
end
local left = call('SCARD', held)
if left == 0 then call('HDEL', WORKERS, worker) end
close()
return {ready, left}
