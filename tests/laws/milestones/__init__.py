"""A belief of tests: who reaches so many visits, and who stays away for a week after one. As a package of handlers/
would be; test_a_new_belief.py plugs it in."""
