#!lua
-- Take the membership of an event's queue: one at a time for each user (QUEUE-021).
-- KEYS 1 the user's membership (string: "<event id> <epoch µs of taking it>")
-- ARGV 1 event id  2 now in epoch µs  3 membership that may be replaced, as read, or ""  4 seconds to keep it
-- Result {the membership now, the one for the same event that it replaced or ""}
local event, now, replaceable = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('GET', KEYS[1])
local same = held and string.sub(held, 1, #event) == event
if held and held ~= replaceable and not same then
  return {held, ''}
end
local membership = event .. ' ' .. now
redis.call('SET', KEYS[1], membership, 'EX', ARGV[4])
return {membership, same and held ~= membership and held or ''}
