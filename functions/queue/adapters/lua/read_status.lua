#!lua
-- Read a user's status (QUEUE-002), and record the poll.
-- KEYS 1 queue (zset user -> µs)  2 sale (hash)  3 last seen (zset user -> µs)  4 the user's qr_ token (string)
-- ARGV 1 user id  2 now in µs  3 by how many µs the recorded poll may be behind: not every poll is a write
-- Result a reply of `queue_reply.py`: ADMITTED | WAITING | ABSENT | CLOSED or SOLD_OUT, both with the place kept
local queue, sale, seen, token_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, now, lag = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local token = redis.call('GET', token_key)
if token then
  return {'ADMITTED', token, redis.call('PTTL', token_key)}
end
local ahead = redis.call('ZRANK', queue, user)
if not ahead then return {'ABSENT'} end
local terms = redis.call('HMGET', sale, 'closes', 'sold_out', 'front', 'born', 'rate', 'pace', 'churn', 'seats')
-- Also while sold out: seats may become free, and the user still has the place.
if now - tonumber(redis.call('ZSCORE', seen, user) or 0) > lag then
  redis.call('ZADD', seen, ARGV[2], user)
end
if now >= tonumber(terms[1]) then return {'CLOSED', '1'} end
if terms[2] == '1' then return {'SOLD_OUT', '1'} end
return {'WAITING', ahead, redis.call('ZSCORE', queue, user), terms[3] or '0', terms[4], terms[5], terms[6] or '',
  terms[7] or '', terms[8] or '', 'KEPT'}
