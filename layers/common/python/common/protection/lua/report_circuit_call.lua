#!lua
-- Count how a call ended, and open or close its circuit accordingly (PAY-009).
-- KEYS 1 circuit (hash)
-- ARGV 1 now in epoch ms  2 "1" if it failed  3 "1" if it was a trial  4 ms that are looked back
--      5 calls below which nothing opens  6 failures in percent above which it opens  7 ms it then stays open
-- Result "OPENED" | "CLOSED" | "" if nothing changed
local circuit, now, failed, trial = KEYS[1], tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3] == '1'
local window, least, percent, open_for = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local function open()
  redis.call('DEL', circuit)
  -- Kept twice as long as it is closed to calls: forgotten earlier it would close without a trial.
  redis.call('HSET', circuit, 'opened', ARGV[1])
  redis.call('PEXPIRE', circuit, 2 * open_for)
  return 'OPENED'
end

if redis.call('HEXISTS', circuit, 'opened') == 1 then
  if not trial then return '' end -- sent before it opened
  if failed then return open() end
  redis.call('DEL', circuit)
  return 'CLOSED'
end

-- Six slices make the window that slides: "ok:<slice>" and "bad:<slice>".
local slice = math.floor(now / (window / 6))
redis.call('HINCRBY', circuit, (failed and 'bad:' or 'ok:') .. slice, 1)
redis.call('PEXPIRE', circuit, window)
if not failed then return '' end

local total, bad, counts = 0, 0, redis.call('HGETALL', circuit)
for i = 1, #counts, 2 do
  local kind, of = string.match(counts[i], '^(%a+):(%d+)$')
  if tonumber(of) <= slice - 6 then
    redis.call('HDEL', circuit, counts[i])
  else
    total = total + counts[i + 1]
    if kind == 'bad' then bad = bad + counts[i + 1] end
  end
end
if total >= least and bad * 100 > total * percent then return open() end
return ''
