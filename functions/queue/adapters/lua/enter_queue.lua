#!lua
-- Take a place at the end of the queue, or keep the one the user has (QUEUE-001, QUEUE-010). After Redis lost the queue,
-- return the place that a receipt names.
-- KEYS 1 queue (zset user -> µs)  2 sale (hash)  3 last seen (zset user -> µs)  4 the user's qr_ token (string)
--      5 users admitted since the queue's birth (set)
-- ARGV 1 user id  2 now in µs  3 "1" to accept terms that are no longer fresh  4 grace of waiting users in µs
--      5 µs for the other users to return too  6.. of a valid receipt, if any: place, front, birth, time of signing (µs)
-- Result a reply of `queue_reply.py`: ADMITTED | WAITING | UNKNOWN | NOT_OPEN, CLOSED, SOLD_OUT or FULL
local queue, sale, seen, token_key, early_admissions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local user, now, accept_stale = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local grace, return_period = tonumber(ARGV[4]), tonumber(ARGV[5])

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
local ahead = redis.call('ZRANK', queue, user)
local keeps_place = ahead and '1' or '0'
if ahead then
  redis.call('ZADD', seen, ARGV[2], user) -- also while sold out: seats may become free, and the user still has the place
end
if now >= closes then return {'CLOSED', keeps_place} end
if terms[4] == '1' then return {'SOLD_OUT', keeps_place} end

local function waiting(ahead, place, outcome)
  return {'WAITING', ahead, place, front, born, terms[9], terms[10] or '', terms[11] or '',
    terms[12] or '', outcome}
end

if ahead then
  return waiting(ahead, redis.call('ZSCORE', queue, user), 'KEPT')
end
if now < opens then return {'NOT_OPEN', '0'} end

local function whole(number) return string.format('%.0f', number) end

-- Neither two arrivals in one µs nor a clock that went back may change the order.
local place, outcome = math.max(now, last_score + 1), 'TAKEN'
if ARGV[6] then
  local old_place, old_front, old_birth, signed = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
  local birth, spent = tonumber(born), tonumber(terms[13] or 0)
  -- A receipt of the queue that Redis lost, of a user who had the place when that happened and returns within the grace.
  if old_birth < birth and signed >= birth - grace and now < birth + grace then
    redis.call('HSETNX', sale, 'gather_until', whole(now + return_period))
    if old_front > spent then
      -- Users up to this place had been admitted. Those who took such a place back before we knew must enter again.
      spent = old_front
      redis.call('HSET', sale, 'spent', whole(spent), 'front', whole(math.max(spent, tonumber(front))))
      local again = redis.call('ZRANGEBYSCORE', queue, '-inf', whole(spent), 'LIMIT', 0, 1000)
      while #again > 0 do
        redis.call('ZREM', queue, unpack(again))
        redis.call('ZREM', seen, unpack(again))
        again = redis.call('ZRANGEBYSCORE', queue, '-inf', whole(spent), 'LIMIT', 0, 1000)
      end
    end
    if old_place > spent and redis.call('SISMEMBER', early_admissions, user) == 0 then
      place, outcome = old_place, 'RETURNED'
    end
  end
end
-- A user who had a place before is accepted even if the queue is full.
if outcome == 'TAKEN' and redis.call('ZCARD', queue) >= capacity then return {'FULL', '0'} end
redis.call('ZADD', queue, whole(place), user)
redis.call('ZADD', seen, ARGV[2], user)
redis.call('HSET', sale, 'last_score', whole(math.max(place, last_score)))
return waiting(redis.call('ZRANK', queue, user), whole(place), outcome)
