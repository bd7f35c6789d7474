-- Files that come after their message was shown: who is told, on each line a JSON list of handler and target.

ALTER TABLE media ADD COLUMN followers TEXT NOT NULL DEFAULT '';
