#!lua
-- Give up the place and the reservation token.
-- KEYS 1 queue (zset)  2 sale (hash)  3 last seen (zset)  4 live tokens (zset)  5 the user's qr_ token (string)
-- ARGV 1 user id
-- Result 1 if the user had either, else 0
local queue, sale, seen, live_tokens, token_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user = ARGV[1]
local waited = redis.call('ZREM', queue, user)
if waited == 1 then
  redis.call('ZREM', seen, user)
  redis.call('HINCRBY', sale, 'gone', 1)
end
redis.call('ZREM', live_tokens, user)
return math.max(waited, redis.call('DEL', token_key))
