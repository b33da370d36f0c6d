#!lua
-- Move the head of a line to qr_ tokens: never more than `rate` in a second of the clock, nor more than
-- rate × seconds + rate in any window, whoever calls and however often (QUEUE-005). Drop who has not been seen for long,
-- and measure how fast the line moves.
-- KEYS 1 line (zset)  2 sale (hash)  3 seen (zset)  4 admitted (zset)  5 clock (string)  6 held seats (zset)
--      7 who was let in since the line's birth (set)  8.. the token key of each candidate
-- ARGV 1 now in µs, or "" for this node's own time  2 token life in ms  3 grace of waiters in µs  4 most to drop
--      5 µs between two looks at the sale's terms  6 "1" to let nobody in while every seat not sold is held
--      7 how many names to show of the next  8.. candidate's user id, token; in KEYS' order
-- Result {names let in, names dropped, "1" if the head holds users who were no candidates: call again with the next,
--         "1" if whoever called is to ask for the sale's terms, users left waiting, names of the next,
--         how many more this second may let in}
local line, sale, seen, admitted, clock, held, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local life, grace, most_dropped, look_every = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local follow_seats, show = ARGV[6] == '1', tonumber(ARGV[7])
local SECOND = 1000000
local MEMORY = 180 * SECOND -- pace and churn are averages over about the last three minutes

local function whole(number) return string.format('%.0f', number) end

-- Serverless refuses TIME in a script; what is left of a key whose end is known says the same, where and when it counts:
-- callers' clocks may differ, or their message may be late.
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
local in_all, gone = tonumber(terms[12] or 0), tonumber(terms[13] or 0)

local dropped = redis.call('ZRANGEBYSCORE', seen, '-inf', whole(now - grace), 'LIMIT', 0, most_dropped)
if #dropped > 0 then
  redis.call('ZREM', line, unpack(dropped))
  redis.call('ZREM', seen, unpack(dropped))
  gone = redis.call('HINCRBY', sale, 'gone', #dropped)
end

local waiting = redis.call('ZCARD', line)
local ask = '0'
if waiting > 0 and now >= tonumber(terms[8] or 0) + look_every then
  redis.call('HSET', sale, 'asked', whole(now))
  ask = '1'
end

-- A bucket that holds one second's admissions bounds every window; the second's own count, every second of the clock.
-- At one a second the bucket holds half a user more: each tick's lateness would else be lost for good.
-- Time that went back (a failover to another node) admits nobody until it is where it was.
local second, last = math.floor(now / SECOND), tonumber(terms[9] or 0)
local count = second == last and tonumber(terms[10]) or 0
local spent_until = math.max(tonumber(terms[11] or 0), now - SECOND * math.max(1, 1.5 / rate))
local room = math.min(math.floor((now - spent_until) * rate / SECOND + 1e-6), rate - count)
local open = terms[6] ~= '1' and now >= opens and now < closes and terms[3] ~= '1' and second >= last
  and now >= tonumber(terms[7] or 0)
if open and follow_seats and terms[4] then
  room = math.min(room, tonumber(terms[4]) - redis.call('ZCOUNT', held, '(' .. whole(now / 1000), '+inf'))
end

local let_in, again, front = {}, '0', tonumber(terms[19] or 0)
if open and room > 0 and waiting > 0 then
  local candidates = {}
  for i = 8, #KEYS do
    local at = 8 + (i - 8) * 2
    candidates[ARGV[at]] = {KEYS[i], ARGV[at + 1]}
  end
  local head = redis.call('ZRANGE', line, 0, room - 1, 'WITHSCORES')
  for i = 1, #head, 2 do
    local user, candidate = head[i], candidates[head[i]]
    if not candidate then
      again = '1'
      break
    end
    redis.call('SET', candidate[1], candidate[2], 'PX', life)
    redis.call('ZADD', admitted, whole(now / 1000 + life), user)
    let_in[#let_in + 1] = user
    front = math.max(front, tonumber(head[i + 1])) -- who came back late stands before those let in meanwhile
  end
end
if #let_in > 0 then
  redis.call('ZREM', line, unpack(let_in))
  redis.call('ZREM', seen, unpack(let_in))
  in_all = redis.call('HINCRBY', sale, 'admitted', #let_in)
  redis.call('HSET', sale, 'second', second, 'count', count + #let_in, 'front', whole(front),
    'spent_until', whole(spent_until + #let_in * SECOND / rate))
  -- As long as places signed under an older birth may be taken back: each gets its owner in once.
  if now < tonumber(terms[20]) + grace then
    redis.call('SADD', once, unpack(let_in))
    redis.call('PEXPIRE', once, whole(grace / 1000))
  end
  -- Tokens end by themselves; their owners' names are swept by whoever is let in next.
  redis.call('ZREMRANGEBYSCORE', admitted, '-inf', whole(now / 1000))
end

-- How fast the line moves: the part of the rate that was really let in, and the part of the line that gives up, a second.
local measured = tonumber(terms[16] or now)
local elapsed = now - measured
if elapsed >= SECOND or not terms[16] then
  -- A line that ran empty says nothing of how fast a long one moves.
  if elapsed > 0 and waiting > #let_in then
    local weight, seconds = 1 - math.exp(-elapsed / MEMORY), elapsed / SECOND
    local pace, churn = tonumber(terms[14] or 1), tonumber(terms[15] or 0)
    pace = pace + weight * ((in_all - tonumber(terms[17])) / (rate * seconds) - pace)
    churn = churn + weight * ((gone - tonumber(terms[18])) / (waiting * seconds) - churn)
    redis.call('HSET', sale, 'pace', string.format('%.6f', pace), 'churn', string.format('%.9f', churn))
  end
  redis.call('HSET', sale, 'measured', whole(now), 'measured_admitted', in_all, 'measured_gone', gone)
end

waiting = waiting - #let_in
local next_names = {}
if waiting > 0 and terms[6] ~= '1' then
  next_names = redis.call('ZRANGE', line, 0, math.min(show, rate + 5) - 1)
end
return {let_in, dropped, again, ask, waiting, next_names, open and rate - count - #let_in or 0}
