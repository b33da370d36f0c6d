#!lua
-- Say which event's line a user is in: one at a time (QUEUE-021).
-- KEYS 1 the user's active event (string: "<event id> <epoch µs of the claim>")
-- ARGV 1 event id to claim  2 now in epoch µs  3 claim that may be taken over, as read, or ""  4 seconds to keep it
-- Result {the claim that holds now, the one for the same event that it replaced or ""}
local event, now, stale = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('GET', KEYS[1])
local same = held and string.sub(held, 1, #event) == event
if held and held ~= stale and not same then
  return {held, ''}
end
local claim = event .. ' ' .. now
redis.call('SET', KEYS[1], claim, 'EX', ARGV[4])
return {claim, same and held ~= claim and held or ''}
