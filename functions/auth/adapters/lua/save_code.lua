#!lua
-- Save a code before it is mailed, unless one was saved within the pause or the day's limit is reached (AUTH-022).
-- KEYS 1 code (hash: hash, tries)  2 pause (string)  3 count of a day (string)
-- ARGV 1 the code's hash  2 seconds it is valid  3 seconds until the next may be mailed  4 most in a day
-- Result {"SAVED", 0} | {"PAUSE", 0} | {"TOO_MANY", seconds until the day ends}
local code, pause, count = KEYS[1], KEYS[2], KEYS[3]
local hash, valid_for, pause_for, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

if redis.call('EXISTS', pause) == 1 then
  return {'PAUSE', 0}
end
if tonumber(redis.call('GET', count) or 0) >= most then
  return {'TOO_MANY', math.max(1, redis.call('TTL', count))}
end
redis.call('SET', pause, '1', 'EX', pause_for)
redis.call('INCR', count)
redis.call('EXPIRE', count, 86400, 'NX')
redis.call('DEL', code)
redis.call('HSET', code, 'hash', hash, 'tries', 0)
redis.call('EXPIRE', code, valid_for)
return {'SAVED', 0}
