#!lua
-- Record how an attempt ended. An attempt that never ends is abandoned after a while.
-- KEYS two for each rule, as in begin_attempt, the network's first: wrong, being compared
-- ARGV 1 attempt  2 now in epoch ms  3 "1" if the password was correct, else "0"  4 ms that a wrong one counts
-- Result none
local attempt, now, correct, counts_for = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]

for i = 1, #KEYS, 2 do
  local wrong, comparing = KEYS[i], KEYS[i + 1]
  redis.call('ZREM', comparing, attempt)
  if not correct then
    redis.call('ZADD', wrong, now, attempt)
    redis.call('PEXPIRE', wrong, counts_for)
  end
end
if correct then
  redis.call('DEL', KEYS[1]) -- of this network only: others may be guessing elsewhere
end
