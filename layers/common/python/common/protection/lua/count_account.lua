#!lua
-- Note an account on a device or an address, and count those of an hour (GW-027).
-- KEYS 1 accounts (HyperLogLog: 12 KB at most, and no account can be read out of it)
-- ARGV 1 account  2 ms they are counted for, from the first on
-- Result how many accounts, about
local account, window = ARGV[1], ARGV[2]

redis.call('PFADD', KEYS[1], account)
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], window)
end
return redis.call('PFCOUNT', KEYS[1])
