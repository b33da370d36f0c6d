#!lua
-- Write a sale's terms as the events service gives them, without undoing what an operator has set since.
-- KEYS 1 sale (hash)
-- ARGV 1 opens µs  2 closes µs  3 capacity  4 admissions per second  5 sold out "1"/"0"  6 fresh until µs  7 now in µs
--      8 seats not sold, or ""
-- Result 1
local sale = KEYS[1]
-- The latest change counts: an operator's rate stands until the event's own rate is changed.
if redis.call('HGET', sale, 'given_rate') ~= ARGV[4] then
  redis.call('HSET', sale, 'given_rate', ARGV[4], 'rate', ARGV[4])
end
redis.call('HSET', sale, 'opens', ARGV[1], 'closes', ARGV[2], 'capacity', ARGV[3], 'sold_out', ARGV[5],
  'fresh_until', ARGV[6], 'asked', ARGV[7])
if ARGV[8] ~= '' then
  redis.call('HSET', sale, 'seats', ARGV[8])
end
-- A queue without a birth is new, or Redis lost it: receipts with an older birth are from before that.
redis.call('HSETNX', sale, 'born', ARGV[7])
return 1
