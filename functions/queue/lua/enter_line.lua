#!lua
-- Take a place at the end of the line, or keep the one held (QUEUE-001, QUEUE-010).
-- KEYS 1 line (zset user -> µs)  2 sale (hash)  3 the user's qr_ token (string)
-- ARGV 1 user id  2 now in µs  3 "1" to accept terms that are no longer fresh
-- Result {"ADMITTED", token, ms left} | {"WAITING", users ahead, admissions per second}
--      | {"UNKNOWN"} terms missing or stale | {"NOT_OPEN"} | {"CLOSED"} | {"SOLD_OUT"} | {"FULL"}
local line, sale, token_key = KEYS[1], KEYS[2], KEYS[3]
local user, now, accept_stale = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

local token = redis.call('GET', token_key)
if token then
  return {'ADMITTED', token, redis.call('PTTL', token_key)}
end

local terms = redis.call('HMGET', sale, 'opens', 'closes', 'capacity', 'rate', 'sold_out', 'fresh_until', 'last_score')
local opens, closes, capacity, rate = tonumber(terms[1]), tonumber(terms[2]), tonumber(terms[3]), terms[4]
local ahead = redis.call('ZRANK', line, user)
if ahead then
  return {'WAITING', ahead, rate}
end
if not opens or (now >= tonumber(terms[6]) and not accept_stale) then
  return {'UNKNOWN'}
end
if now < opens then return {'NOT_OPEN'} end
if now >= closes then return {'CLOSED'} end
if terms[5] == '1' then return {'SOLD_OUT'} end
ahead = redis.call('ZCARD', line)
if ahead >= capacity then return {'FULL'} end

-- Two arrivals in one µs, or a clock that went back, must not change who was first.
local score = string.format('%.0f', math.max(now, tonumber(terms[7] or 0) + 1))
redis.call('ZADD', line, score, user)
redis.call('HSET', sale, 'last_score', score)
return {'WAITING', ahead, rate}
