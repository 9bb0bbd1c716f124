-- Limits of one leg of a search, for its transaction. Custom plans: the size of the tenant decides, which a generic plan cannot know.
SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)
