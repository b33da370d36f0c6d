#!lua
-- Note when an account called, and forget all but its last calls (GW-027).
-- KEYS 1 calls (list of epoch µs, the last first)
-- ARGV 1 now in epoch µs  2 calls to keep  3 ms to keep them
-- Result the calls kept, this one among them
local now, kept, keep = ARGV[1], tonumber(ARGV[2]), ARGV[3]

redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, kept - 1)
redis.call('PEXPIRE', KEYS[1], keep)
return redis.call('LRANGE', KEYS[1], 0, -1)
