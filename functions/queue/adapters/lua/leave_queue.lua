#!lua
-- Give up the place and the token in hand.
-- KEYS 1 line (zset)  2 sale (hash)  3 seen (zset)  4 admitted (zset)  5 the user's qr_ token (string)
-- ARGV 1 user id
-- Result 1 if there was anything to give up, else 0
local line, sale, seen, admitted, token_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user = ARGV[1]
local waited = redis.call('ZREM', line, user)
if waited == 1 then
  redis.call('ZREM', seen, user)
  redis.call('HINCRBY', sale, 'gone', 1)
end
redis.call('ZREM', admitted, user)
return math.max(waited, redis.call('DEL', token_key))
