-- Where one script makes many decisions, what all of them write to one place is kept and written once, when they are
-- made: windows (parts/window.lua), counts (state -> change), landed (lane -> {group, n} calls no longer in flight), dropped
-- (leases that are over). `held` (lease -> record) is read at once as well.

local TOGETHER = nil

local function together(held) TOGETHER = {counts = {}, landed = {}, dropped = {}, settled = {}, held = held} end

local function count(what, by)
  if TOGETHER then
    TOGETHER.counts[what] = (TOGETHER.counts[what] or 0) + by
  else
    redis.call('HINCRBY', k_counts(), what, by)
  end
end
