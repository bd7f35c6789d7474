-- PUMP: heartbeat, results, promotion, handing out; the one round trip of a worker.
-- ARGV: offset ms, worker, want, most due keys promoted, most parked targets reported,
--       n, n * (target, most keys), m, m * (verb, key, token, argument, 1 when it was tried)
--       1 when suspects may be handed out: a process that ends soon after its start shall not count against them
--       verb ack (argument 1: the tables know more), delay (ms from now), park (target), release ('')
-- Answers: indices (from 0) of results that did not count, taken (key, id, token, crashes, those alone), ms to the next due key or -1,
--          depth, overflow, ready keys left, paused, parked (target, keys)
even_when_out_of_memory()
if ARGV[#ARGV] == '0' then no_suspects = true end
local now, worker, want = now_ms(ARGV[1]), ARGV[2], tonumber(ARGV[3])
call('HINCRBY', WORKERS, worker, 1)

local takes = tonumber(ARGV[6])
local at = 7 + 2 * takes
local fenced, taken = {}, {}
for n = 0, tonumber(ARGV[at]) - 1 do
  local i = at + 1 + 5 * n
  local counted = settle(worker, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], now)
  if not counted then fenced[#fenced + 1] = n end
end

promote(now, ARGV[4])

local paused = call('EXISTS', PAUSED)
if paused == 0 then
  for n = 0, takes - 1 do
    local target = ARGV[7 + 2 * n]
    hand_out(PARKED .. target, 'parked', tonumber(ARGV[8 + 2 * n]), worker, nil, taken, now)
    if call('EXISTS', PARKED .. target) == 0 then call('ZREM', PARKED_TARGETS, target) end
  end
  hand_out(READY, 'ready', want, worker, nil, taken, now)
end

local parked, most = {}, tonumber(ARGV[5])
local targets = call('ZRANGE', PARKED_TARGETS, 0, most - 1)
if #targets == most and most > 0 then
  -- There may be more: those reported now go behind the others.
  local turn = call('HINCRBY', COUNTERS, 'reported', 1)
  for _, target in ipairs(targets) do call('ZADD', PARKED_TARGETS, turn, target) end
end
for i, target in ipairs(targets) do parked[i] = {target, call('LLEN', PARKED .. target)} end

close()
return {
  fenced, taken, next_due(now), tonumber(call('HGET', COUNTERS, 'depth') or 0), call('EXISTS', OVERFLOW),
  call('LLEN', READY), paused, parked,
}
