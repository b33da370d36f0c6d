#!lua
-- May a call go out? While a circuit is open none may; once it has been open long enough, one at a time tries (PAY-009).
-- KEYS 1 circuit (hash)
-- ARGV 1 now in epoch ms  2 ms a circuit stays open  3 ms after which a trial that never reported is given up
-- Result {"CLOSED"} | {"TRIAL"} | {"OPEN", ms until it may be tried}
local circuit, now, open_for, trial_for = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local state = redis.call('HMGET', circuit, 'opened', 'trial')
local opened, trial = tonumber(state[1]), tonumber(state[2] or 0)
if not opened then return {'CLOSED'} end
if now < opened + open_for then return {'OPEN', opened + open_for - now} end
if now < trial + trial_for then return {'OPEN', trial + trial_for - now} end
redis.call('HSET', circuit, 'trial', ARGV[1])
redis.call('PEXPIRE', circuit, open_for + trial_for)
return {'TRIAL'}
