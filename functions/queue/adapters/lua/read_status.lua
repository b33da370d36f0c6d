#!lua
-- Where a user stands (QUEUE-002), noting that he was here.
-- KEYS 1 line (zset user -> µs)  2 sale (hash)  3 seen (zset user -> µs)  4 the user's qr_ token (string)
-- ARGV 1 user id  2 now in µs  3 by how many µs the note of when he was seen may lag: not every poll is a write
-- Result {"ADMITTED", token, ms left}
--      | {"WAITING", users ahead, place µs, front µs, birth µs, rate, pace or "", churn or "", seats or "", "KEPT"}
--      | {"ABSENT"} | {"CLOSED" | "SOLD_OUT", "1": he stands in line all the same}
local line, sale, seen, token_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, now, lag = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local token = redis.call('GET', token_key)
if token then
  return {'ADMITTED', token, redis.call('PTTL', token_key)}
end
local ahead = redis.call('ZRANK', line, user)
if not ahead then return {'ABSENT'} end
local terms = redis.call('HMGET', sale, 'closes', 'sold_out', 'front', 'born', 'rate', 'pace', 'churn', 'seats')
-- Sold out too: seats come back, and he is there.
if now - tonumber(redis.call('ZSCORE', seen, user) or 0) > lag then
  redis.call('ZADD', seen, ARGV[2], user)
end
if now >= tonumber(terms[1]) then return {'CLOSED', '1'} end
if terms[2] == '1' then return {'SOLD_OUT', '1'} end
return {'WAITING', ahead, redis.call('ZSCORE', line, user), terms[3] or '0', terms[4], terms[5], terms[6] or '',
  terms[7] or '', terms[8] or '', 'KEPT'}
