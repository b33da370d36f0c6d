#!lua
-- Begin to compare a password, unless a brake is on (AUTH-006).
-- KEYS two a brake, sorted sets of attempts by the epoch ms they were made at: wrong, being compared
-- ARGV 1 attempt  2 now in epoch ms  3 ms a wrong one counts  4 ms after which one being compared has died
--      5 most compared at once;  then three a brake: wrong ones that lock it, ms of its first lock, ms of its longest
-- Result 0 when the attempt may go on, else the ms until one may
local attempt, now = ARGV[1], tonumber(ARGV[2])
local counts_for, dies_after, at_once = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local wait = 0
for brake = 0, #KEYS / 2 - 1 do
  local wrong, comparing = KEYS[2 * brake + 1], KEYS[2 * brake + 2]
  local limit, first_lock, longest_lock = unpack(ARGV, 3 * brake + 6, 3 * brake + 8)
  redis.call('ZREMRANGEBYSCORE', wrong, '-inf', now - counts_for)
  redis.call('ZREMRANGEBYSCORE', comparing, '-inf', now - dies_after)

  local above, most = redis.call('ZCARD', wrong) - limit, at_once
  if above >= 0 then
    local last = redis.call('ZRANGE', wrong, -1, -1, 'WITHSCORES')[2]
    wait = math.max(wait, last + math.min(first_lock * 2 ^ above, longest_lock) - now)
    most = 1 -- who waited gets one attempt, not ten
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
  redis.call('PEXPIRE', KEYS[i], dies_after)
end
return 0
