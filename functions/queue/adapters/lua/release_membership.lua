#!lua
-- Undo a claim, if it is still this one: who claims the same event meanwhile may have got a place on it.
-- KEYS 1 the user's active event (string: "<event id> <epoch µs of the claim>")
-- ARGV 1 the claim, or only its event id for whichever there is on it
-- Result 1 if undone, else 0
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
