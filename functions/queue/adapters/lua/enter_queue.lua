#!lua
-- Take a place at the end of the line, or keep the one held (QUEUE-001, QUEUE-010); or, after Redis forgot the line, take
-- back the place a ticket says.
-- KEYS 1 line (zset user -> µs)  2 sale (hash)  3 seen (zset user -> µs)  4 the user's qr_ token (string)
--      5 who was let in since the line's birth (set)
-- ARGV 1 user id  2 now in µs  3 "1" to accept terms that are no longer fresh  4 grace of waiters in µs
--      5 µs for the others to come back too  6.. of a genuine ticket, if any: place, front, birth, when signed (all µs)
-- Result {"ADMITTED", token, ms left}
--      | {"WAITING", users ahead, place µs, front µs, birth µs, rate, pace or "", churn or "", seats or "", how},
--        how "KEPT", "TAKEN" or "RETURNED"
--      | {"UNKNOWN"} terms missing or stale
--      | {"NOT_OPEN" | "CLOSED" | "SOLD_OUT" | "FULL", "1" if he stands in line all the same, else "0"}
local line, sale, seen, token_key, let_in = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user, now, accept_stale = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local grace, gather = tonumber(ARGV[4]), tonumber(ARGV[5])

local token = redis.call('GET', token_key)
if token then
  return {'ADMITTED', token, redis.call('PTTL', token_key)}
end

local terms = redis.call('HMGET', sale, 'opens', 'closes', 'capacity', 'sold_out', 'fresh_until', 'last_score', 'born',
  'front', 'rate', 'pace', 'churn', 'seats', 'spent')
local opens, closes, capacity, last_score = tonumber(terms[1]), tonumber(terms[2]), tonumber(terms[3]), tonumber(terms[6] or 0)
local born, front = terms[7], terms[8] or '0'
if not opens or (now >= tonumber(terms[5]) and not accept_stale) then
  return {'UNKNOWN'}
end
local ahead = redis.call('ZRANK', line, user)
local in_line = ahead and '1' or '0'
if ahead then
  redis.call('ZADD', seen, ARGV[2], user) -- sold out too: seats come back, and he is there
end
if now >= closes then return {'CLOSED', in_line} end
if terms[4] == '1' then return {'SOLD_OUT', in_line} end

local function waiting(ahead, score, how)
  return {'WAITING', ahead, score, front, born, terms[9], terms[10] or '', terms[11] or '',
    terms[12] or '', how}
end

if ahead then
  return waiting(ahead, redis.call('ZSCORE', line, user), 'KEPT')
end
if now < opens then return {'NOT_OPEN', '0'} end

local function whole(number) return string.format('%.0f', number) end

-- Two arrivals in one µs, or a clock that went back, must not change who was first.
local score, how = math.max(now, last_score + 1), 'TAKEN'
if ARGV[6] then
  local place, signed_front, signed_birth, signed = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
  local birth, spent = tonumber(born), tonumber(terms[13] or 0)
  -- Of the line Redis forgot, by someone who stood in it when that happened, and back before a waiter's grace is over.
  if signed_birth < birth and signed >= birth - grace and now < birth + grace then
    redis.call('HSETNX', sale, 'gather_until', whole(now + gather))
    if signed_front > spent then
      -- Up to there everybody had been let in: whoever came back to such a place before we knew lines up anew.
      spent = signed_front
      redis.call('HSET', sale, 'spent', whole(spent), 'front', whole(math.max(spent, tonumber(front))))
      local again = redis.call('ZRANGEBYSCORE', line, '-inf', whole(spent), 'LIMIT', 0, 1000)
      while #again > 0 do
        redis.call('ZREM', line, unpack(again))
        redis.call('ZREM', seen, unpack(again))
        again = redis.call('ZRANGEBYSCORE', line, '-inf', whole(spent), 'LIMIT', 0, 1000)
      end
    end
    if place > spent and redis.call('SISMEMBER', let_in, user) == 0 then
      score, how = place, 'RETURNED'
    end
  end
end
-- Who stood in it before has room in it.
if how == 'TAKEN' and redis.call('ZCARD', line) >= capacity then return {'FULL', '0'} end
redis.call('ZADD', line, whole(score), user)
redis.call('ZADD', seen, ARGV[2], user)
redis.call('HSET', sale, 'last_score', whole(math.max(score, last_score)))
return waiting(redis.call('ZRANK', line, user), whole(score), how)
