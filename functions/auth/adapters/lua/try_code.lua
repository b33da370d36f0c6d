#!lua
-- Count a guess at an e-mail code and say whether it is correct (AUTH-022).
-- KEYS 1 code (hash: hash, tries)
-- ARGV 1 the guess's hash  2 most guesses
-- Result 1 correct | 0 wrong, or there is no code
local code, guess, most = KEYS[1], ARGV[1], tonumber(ARGV[2])

local hash = redis.call('HGET', code, 'hash')
if not hash then
  return 0
end
if redis.call('HINCRBY', code, 'tries', 1) > most then
  redis.call('DEL', code)
  return 0
end
return hash == guess and 1 or 0
