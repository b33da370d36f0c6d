#!lua
-- How far a queue has come: the same for every user in it.
-- KEYS 1 queue (zset)  2 sale (hash)
-- ARGV 1 now in µs
-- Result {"UNKNOWN"} terms missing
--      | {"NOT_OPEN" | "OPEN" | "PAUSED" | "SOLD_OUT" | "CLOSED", front µs, admitted so far, waiting, rate, pace or ""}
local queue, sale, now = KEYS[1], KEYS[2], tonumber(ARGV[1])
local terms = redis.call('HMGET', sale, 'opens', 'closes', 'sold_out', 'paused', 'front', 'admitted', 'rate', 'pace')
if not terms[1] then return {'UNKNOWN'} end
local state = 'OPEN'
if now >= tonumber(terms[2]) then state = 'CLOSED'
elseif terms[3] == '1' then state = 'SOLD_OUT'
elseif now < tonumber(terms[1]) then state = 'NOT_OPEN'
elseif terms[4] == '1' then state = 'PAUSED' end
return {state, terms[5] or '0', terms[6] or '0', redis.call('ZCARD', queue), terms[7], terms[8] or ''}
