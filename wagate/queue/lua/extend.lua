-- EXTEND: a lease ends `lease ms` from now. ARGV: offset ms, key, token, lease ms. Answers 1, or 0 when the lease is over.
if call('HGET', STATE, ARGV[2]) ~= 'active:' .. LEASE .. ':' .. ARGV[3] then return 0 end
call('ZADD', DUE, now_ms(ARGV[1]) + ARGV[4], ARGV[2])
return 1
