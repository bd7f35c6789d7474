-- FINISH: one result of a leased key. ARGV: offset ms, verb, key, token, argument, 1 when it was tried (as in PUMP).
-- Answers 1, or 0 when the lease is over.
even_when_out_of_memory()
local counted = settle(LEASE, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], now_ms(ARGV[1]))
close()
return counted and 1 or 0
