"""Sign-up, tokens and claims, as Supabase Auth serves them."""
