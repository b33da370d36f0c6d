#!lua
-- Remove a membership if it is still this one: another `enter` for the same event may have used its replacement.
-- KEYS 1 the user's membership (string: "<event id> <epoch µs of taking it>")
-- ARGV 1 the membership, or only its event id to remove any for this event
-- Result 1 if removed, else 0
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
