#!lua
-- Move the head of a line to qr_ tokens, at most `rate` in any one second of the clock (QUEUE-005).
-- KEYS 1 line (zset)  2 sale (hash)  3 admitted (zset)  4.. the token key of each candidate
-- ARGV 1 second (epoch)  2 token life in ms  3 token end in epoch ms  4.. candidate's user id, token; in KEYS' order
-- Result {admitted now, "1" if the head holds users who were no candidates: look again}
local line, sale, admitted = KEYS[1], KEYS[2], KEYS[3]
local second, life, token_end = tonumber(ARGV[1]), ARGV[2], ARGV[3]

local terms = redis.call('HMGET', sale, 'rate', 'paused', 'second', 'count')
local rate, last, count = tonumber(terms[1]), tonumber(terms[3] or 0), tonumber(terms[4] or 0)
if not rate or terms[2] == '1' or second < last then
  return {0, '0'}
end
-- Whoever ticks, and however often: a second's admissions are counted where they are made.
if second > last then count = 0 end

local candidates = {}
for i = 4, #KEYS do
  local at = 4 + (i - 4) * 2
  candidates[ARGV[at]] = {KEYS[i], ARGV[at + 1]}
end

local now_in, look_again = 0, '0'
if count < rate then
  for _, user in ipairs(redis.call('ZRANGE', line, 0, rate - count - 1)) do
    local candidate = candidates[user]
    if not candidate then
      look_again = '1'
      break
    end
    redis.call('SET', candidate[1], candidate[2], 'PX', life)
    redis.call('ZREM', line, user)
    redis.call('ZADD', admitted, token_end, user)
    now_in = now_in + 1
  end
end
redis.call('HSET', sale, 'second', second, 'count', count + now_in)
if now_in > 0 then
  redis.call('HINCRBY', sale, 'admitted', now_in)
  -- Tokens end by themselves; their owners' names are swept by whoever is let in next.
  redis.call('ZREMRANGEBYSCORE', admitted, '-inf', tonumber(token_end) - tonumber(life))
end
return {now_in, look_again}
