#!lua
-- Where a user stands (QUEUE-002).
-- KEYS 1 line (zset)  2 sale (hash)  3 the user's qr_ token (string)
-- ARGV 1 user id
-- Result {"ADMITTED", token, ms left} | {"WAITING", users ahead, admissions per second} | {"ABSENT"}
local token = redis.call('GET', KEYS[3])
if token then
  return {'ADMITTED', token, redis.call('PTTL', KEYS[3])}
end
local ahead = redis.call('ZRANK', KEYS[1], ARGV[1])
if ahead then
  return {'WAITING', ahead, redis.call('HGET', KEYS[2], 'rate')}
end
return {'ABSENT'}
