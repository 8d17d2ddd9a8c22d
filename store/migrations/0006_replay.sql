-- What it takes to compute again an answer of several, or one whose tokens its client has made likelier or less likely.

ALTER TABLE receipts ADD COLUMN lengths TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN logit_bias TEXT;
