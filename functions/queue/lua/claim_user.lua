#!lua
-- Say which event's line a user is in: one at a time (QUEUE-021).
-- KEYS 1 the user's active event (string: "<event id> <epoch ms of the claim>")
-- ARGV 1 event id to claim  2 now in epoch ms  3 claim that may be taken over, as read, or ""  4 seconds to keep it
-- Result the claim that holds now
local event, now, stale = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('GET', KEYS[1])
if held and held ~= stale and string.sub(held, 1, #event) ~= event then
  return held
end
local claim = event .. ' ' .. now
redis.call('SET', KEYS[1], claim, 'EX', ARGV[4])
return claim
