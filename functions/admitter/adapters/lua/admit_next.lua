#!lua
-- Admit the first users of a queue, each with a qr_ token: never more than `rate` in a second of the clock, nor more than
-- rate × seconds + rate in any window, whichever admitter calls and however often (QUEUE-005). Drop users without a poll
-- for long, and measure how fast the queue moves.
-- KEYS 1 queue (zset)  2 sale (hash)  3 last seen (zset)  4 live tokens (zset)  5 clock (string)  6 held seats (zset)
--      7 users admitted since the queue's birth (set)  8.. the token key of each candidate
-- ARGV 1 now in µs, or "" for this node's own time  2 token life in ms  3 grace of waiting users in µs  4 most to drop
--      5 µs between two refreshes of the sale terms  6 "1" to admit no user while every seat not sold is held
--      7 how many of the next users to name  8.. candidate's user id, token; in the order of KEYS
-- Result {users admitted, users dropped, "1" if the first users include some who were no candidates: call again with the
--         next, "1" if the caller is to ask for the sale terms, users left waiting, the next users,
--         how many more this second may admit}
local queue, sale, seen, live_tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local clock, held, early_admissions = KEYS[5], KEYS[6], KEYS[7]
local life, grace, most_dropped, refresh_every = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local follow_seats, most_next = ARGV[6] == '1', tonumber(ARGV[7])
local SECOND = 1000000
local MEMORY = 180 * SECOND -- pace and churn are averages over about the last three minutes

local function whole(number) return string.format('%.0f', number) end

-- ElastiCache Serverless rejects TIME in a script. The remaining life of a key with a known end gives the node's time,
-- which counts: callers' clocks may differ, and their messages may be late.
local now = tonumber(ARGV[1])
if not now then
  local END = 9999999999999 -- ms
  local left = redis.call('PTTL', clock)
  if left < 0 then
    redis.call('SET', clock, '', 'PXAT', whole(END))
    left = redis.call('PTTL', clock)
  end
  now = (END - left) * 1000
end

local terms = redis.call('HMGET', sale, 'opens', 'closes', 'sold_out', 'seats', 'rate', 'paused', 'gather_until', 'asked',
  'second', 'count', 'spent_until', 'admitted', 'gone', 'pace', 'churn', 'measured', 'measured_admitted', 'measured_gone',
  'front', 'born')
local opens, closes, rate = tonumber(terms[1]), tonumber(terms[2]), tonumber(terms[5])
if not opens then
  return {{}, {}, '0', '0', 0, {}, 0}
end
local admitted_so_far, gone = tonumber(terms[12] or 0), tonumber(terms[13] or 0)

local dropped = redis.call('ZRANGEBYSCORE', seen, '-inf', whole(now - grace), 'LIMIT', 0, most_dropped)
if #dropped > 0 then
  redis.call('ZREM', queue, unpack(dropped))
  redis.call('ZREM', seen, unpack(dropped))
  gone = redis.call('HINCRBY', sale, 'gone', #dropped)
end

local waiting = redis.call('ZCARD', queue)
local terms_due = '0'
if waiting > 0 and now >= tonumber(terms[8] or 0) + refresh_every then
  redis.call('HSET', sale, 'asked', whole(now))
  terms_due = '1'
end

-- A bucket of one second's admissions limits every window; the second's own count limits every second of the clock.
-- At one a second the bucket holds half a user more: otherwise each tick's lateness would be lost for good.
-- If the time went back (a failover to another node), no user is admitted until it has caught up.
local second, last = math.floor(now / SECOND), tonumber(terms[9] or 0)
local count = second == last and tonumber(terms[10]) or 0
local spent_until = math.max(tonumber(terms[11] or 0), now - SECOND * math.max(1, 1.5 / rate))
local room = math.min(math.floor((now - spent_until) * rate / SECOND + 1e-6), rate - count)
local open = terms[6] ~= '1' and now >= opens and now < closes and terms[3] ~= '1' and second >= last
  and now >= tonumber(terms[7] or 0)
if open and follow_seats and terms[4] then
  room = math.min(room, tonumber(terms[4]) - redis.call('ZCOUNT', held, '(' .. whole(now / 1000), '+inf'))
end

local admitted, again, front = {}, '0', tonumber(terms[19] or 0)
if open and room > 0 and waiting > 0 then
  local candidates = {}
  for i = 8, #KEYS do
    local at = 8 + (i - 8) * 2
    candidates[ARGV[at]] = {KEYS[i], ARGV[at + 1]}
  end
  local head = redis.call('ZRANGE', queue, 0, room - 1, 'WITHSCORES')
  for i = 1, #head, 2 do
    local user, candidate = head[i], candidates[head[i]]
    if not candidate then
      again = '1'
      break
    end
    redis.call('SET', candidate[1], candidate[2], 'PX', life)
    redis.call('ZADD', live_tokens, whole(now / 1000 + life), user)
    admitted[#admitted + 1] = user
    front = math.max(front, tonumber(head[i + 1])) -- a user who returned late may have a place before it
  end
end
if #admitted > 0 then
  redis.call('ZREM', queue, unpack(admitted))
  redis.call('ZREM', seen, unpack(admitted))
  admitted_so_far = redis.call('HINCRBY', sale, 'admitted', #admitted)
  redis.call('HSET', sale, 'second', second, 'count', count + #admitted, 'front', whole(front),
    'spent_until', whole(spent_until + #admitted * SECOND / rate))
  -- While receipts with an older birth are accepted: each user is admitted once.
  if now < tonumber(terms[20]) + grace then
    redis.call('SADD', early_admissions, unpack(admitted))
    redis.call('PEXPIRE', early_admissions, whole(grace / 1000))
  end
  -- Tokens expire by themselves; their entries here are deleted with the next admission.
  redis.call('ZREMRANGEBYSCORE', live_tokens, '-inf', whole(now / 1000))
end

-- How fast the queue moves: the part of the rate that was used, and the part of the queue that gives up in a second.
local measured = tonumber(terms[16] or now)
local elapsed = now - measured
if elapsed >= SECOND or not terms[16] then
  -- Nothing can be measured on a queue that ran empty.
  if elapsed > 0 and waiting > #admitted then
    local weight, seconds = 1 - math.exp(-elapsed / MEMORY), elapsed / SECOND
    local pace, churn = tonumber(terms[14] or 1), tonumber(terms[15] or 0)
    pace = pace + weight * ((admitted_so_far - tonumber(terms[17])) / (rate * seconds) - pace)
    churn = churn + weight * ((gone - tonumber(terms[18])) / (waiting * seconds) - churn)
    redis.call('HSET', sale, 'pace', string.format('%.6f', pace), 'churn', string.format('%.9f', churn))
  end
  redis.call('HSET', sale, 'measured', whole(now), 'measured_admitted', admitted_so_far, 'measured_gone', gone)
end

waiting = waiting - #admitted
local next_users = {}
if waiting > 0 and terms[6] ~= '1' then
  next_users = redis.call('ZRANGE', queue, 0, math.min(most_next, rate + 5) - 1)
end
return {admitted, dropped, again, terms_due, waiting, next_users, open and rate - count - #admitted or 0}
