#!lua
-- Begin to compare a password, unless a lockout is in force (AUTH-006).
-- KEYS two for each rule, sorted sets of attempts by the epoch ms at which they began: wrong, being compared
-- ARGV 1 attempt  2 now in epoch ms  3 ms that a wrong one counts  4 ms after which a comparison is abandoned
--      5 most compared at once;  then three for each rule: wrong ones that lock, ms of the first lock, ms of the longest
-- Result 0 if the attempt may proceed, else the ms to wait
local attempt, now = ARGV[1], tonumber(ARGV[2])
local counts_for, abandoned_after, at_once = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local wait = 0
for rule = 0, #KEYS / 2 - 1 do
  local wrong, comparing = KEYS[2 * rule + 1], KEYS[2 * rule + 2]
  local limit, first_lock, longest_lock = unpack(ARGV, 3 * rule + 6, 3 * rule + 8)
  redis.call('ZREMRANGEBYSCORE', wrong, '-inf', now - counts_for)
  redis.call('ZREMRANGEBYSCORE', comparing, '-inf', now - abandoned_after)

  local above, most = redis.call('ZCARD', wrong) - limit, at_once
  if above >= 0 then
    local last = redis.call('ZRANGE', wrong, -1, -1, 'WITHSCORES')[2]
    wait = math.max(wait, last + math.min(first_lock * 2 ^ above, longest_lock) - now)
    most = 1 -- after a lock, one attempt at a time
  end
  if redis.call('ZCARD', comparing) >= most then
    wait = math.max(wait, 1000)
  end
end
if wait > 0 then
  return wait
end
for i = 2, #KEYS, 2 do
  redis.call('ZADD', KEYS[i], now, attempt)
  redis.call('PEXPIRE', KEYS[i], abandoned_after)
end
return 0
