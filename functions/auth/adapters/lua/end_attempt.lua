#!lua
-- Say how an attempt ended. One of which that is never said is forgotten when it must have died.
-- KEYS two a brake, as of begin_attempt, the network's first: wrong, being compared
-- ARGV 1 attempt  2 now in epoch ms  3 "1" when the password was right, else "0"  4 ms a wrong one counts
-- Result none
local attempt, now, right, counts_for = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]

for i = 1, #KEYS, 2 do
  local wrong, comparing = KEYS[i], KEYS[i + 1]
  redis.call('ZREM', comparing, attempt)
  if not right then
    redis.call('ZADD', wrong, now, attempt)
    redis.call('PEXPIRE', wrong, counts_for)
  end
end
if right then
  redis.call('DEL', KEYS[1]) -- of its network only: elsewhere others may be guessing
end
