-- TAKE_LEASED: hand out keys that come back by themselves when the lease ends (pull queues).
-- ARGV: offset ms, want, lease ms, most due keys promoted. Answers taken (key, id, token, crashes, those alone), ms to the next due key or -1.
local now, taken = now_ms(ARGV[1]), {}
promote(now, ARGV[4])
if call('EXISTS', PAUSED) == 0 then
  hand_out(READY, 'ready', tonumber(ARGV[2]), LEASE, now + ARGV[3], taken, now)
end
close()
return {taken, next_due(now)}
