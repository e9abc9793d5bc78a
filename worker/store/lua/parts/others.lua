--!include window
-- What others use of a window (another client of the same subscription), and the care that it asks of us.
--
-- An answer tells the count at the moment its call arrived, which nobody here knows. So it tells the least that others
-- use: what we cannot have used ourselves, with all our calls in flight counted as ours. Of calls in flight together
-- nearly all tell too little, and the last of them enough. Had the latest always the word, one in six calls of a full
-- window was refused; so the most of what was told stands, and becomes less no faster than the window passes: what came
-- evenly leaves evenly. It is never more than others really use, so jitter alone can make nobody up.
--
-- What is told is past when it is read, and others go on. While there are others,
-- * a margin stays free, one and a half times what a random user's count changes by (a standard deviation) since the
--   call that told was sent;
-- * of what is free a third may be out beyond the last call that told, so that answers come before the limit does;
-- * after a lull, when what was told says little, the margin is off and one call asks before others follow.
-- A refusal says, too, that there are others: our own count lets none happen. Where nobody else was ever seen nothing of
-- this holds: the first to come may be met by a burst that is refused once. Where they are long gone, only the third of
-- a lull holds, and only where a third of what is free is less than the threads: where a full window opens again.

local ROOM_SHARE = 3             -- a third of what is free
local SURE_WINDOWS = 1.5         -- windows after the last sign of others that they are reckoned with
local ASK_WINDOWS = 10           -- and that a lull is ended by one call alone
local PATIENCE = 1000000         -- calls that keep quiet hold the others up no longer than this

-- µs until what was told says little: 1 s of a second, 8 s of a minute, 5 min of a day; or two journeys of a call
--!late
local function others_lull_at(w)
  local told = w.fgn_till - w.len
  return told + math.max(math.floor(1000 * math.sqrt(w.len)), 2 * (told - w.fgn_at))
end

-- what stays free for others, beyond what they were told to use
--!late
local function others_margin(w, now)
  if w.fgn == 0 or now > others_lull_at(w) then return 0 end
  return math.ceil(1.5 * math.sqrt(2 * w.fgn * (now - w.fgn_at) / w.len))
end

-- how many of `free` permits may be taken, and when to look again where that is none (as budget_room says it)
--!late
local function others_room(w, free, now)
  if w.heard == 0 then return free, now end      -- nothing is ever told
  local lull_at = others_lull_at(w)
  local lull = now > lull_at
  if w.sign == 0 then return free, now end       -- nobody else was ever seen
  if not lull and w.fgn == 0 and now >= w.sign + SURE_WINDOWS * w.len then return free, now end
  local most
  if lull then
    most = now < w.sign + ASK_WINDOWS * w.len and 1 or math.max(1, math.floor(free / ROOM_SHARE))
  else
    free = free - others_margin(w, now)
    if free <= 0 then
      local leaves = window_next(w, now, 1 - free)
      local at = leaves and math.min(math.abs(leaves), lull_at + 1) or lull_at + 1
      return 0, w.inf > w.late and -at or at      -- an answer makes the margin less
    end
    most = math.max(2, math.floor(free / ROOM_SHARE))
  end
  local out = math.max(0, math.min(w.taken - w.heard, w.inf - w.late))
  if out < most then return math.min(free, most - out), now end
  if now >= w.asked + PATIENCE then return 1, now end
  return 0, -(w.asked + PATIENCE)
end

-- An answer to the call taken at `sent`, as the `taken`-th, told that others use at least that many. True when it has
-- become less.
-- After the store has forgotten calls of ours, a lone probe is told exactly what they and others used together. Until
-- those calls have left the window (`kept`), it cannot become less.
--!late
local function others_told(w, least, sent, taken, now)
  local was, kept, fallen = w.fgn, w.kept, math.floor(w.lim * (now - w.top) / w.len)
  if now < kept then fallen = 0 end
  if UNSURE > 0 and w.sure <= UNSURE and now < QUIET + w.len then kept = now + w.len end
  if least >= was - fallen then
    w.fgn, w.top = least, now
  elseif fallen > 0 then
    w.fgn, w.top = was - fallen, w.top + math.ceil(fallen * w.len / w.lim)
  end
  w.fgn_at, w.fgn_till, w.sure = sent, now + w.len, sent
  w.heard = math.max(w.heard, taken)
  if least > 0 then w.sign = now end
  w.kept = kept
  return w.fgn < was
end

-- an answer that told nothing: if that has become the rule, there is nothing to wait for
--!late
local function others_untold(w, now)
  if w.heard > 0 and now > others_lull_at(w) then w.heard = 0 end
end
