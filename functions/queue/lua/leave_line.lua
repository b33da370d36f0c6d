#!lua
-- Give up the place and the token in hand.
-- KEYS 1 line (zset)  2 admitted (zset)  3 the user's qr_ token (string)
-- ARGV 1 user id
-- Result 1 if there was anything to give up, else 0
local left = redis.call('ZREM', KEYS[1], ARGV[1]) + redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[2], ARGV[1])
return left > 0 and 1 or 0
