-- STATS: lengths and counters, nothing is walked through.
-- Answers depth, ready, active, leased, backoff, parked, parked targets, paused, paused keys, workers, overflow, wake tokens.
local function counter(name)
  return tonumber(call('HGET', COUNTERS, name) or 0)
end
local leased = counter('leased')
return {
  counter('depth'), call('LLEN', READY), counter('active'), leased, call('ZCARD', DUE) - leased, counter('parked'),
  call('ZCARD', PARKED_TARGETS), call('EXISTS', PAUSED), call('SCARD', PAUSED_KEYS), call('HLEN', WORKERS),
  call('EXISTS', OVERFLOW), call('LLEN', WAKE),
}
