#!lua
-- An event's queue in numbers (QUEUE-012).
-- KEYS 1 queue (zset)  2 sale (hash)  3 live tokens (zset user -> end in epoch ms)
-- ARGV 1 now in epoch ms
-- Result {waiting, admitted so far, live tokens, admissions per second, paused "1"/"0", place of the first or "", capacity}
local terms = redis.call('HMGET', KEYS[2], 'admitted', 'rate', 'paused', 'capacity')
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {
  redis.call('ZCARD', KEYS[1]),
  tonumber(terms[1] or 0),
  redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[1], '+inf'),
  tonumber(terms[2] or 0),
  terms[3] or '0',
  first[2] or '',
  tonumber(terms[4] or 0),
}
