"""The process: Faust (app.py), threads, the loop, the web page, where rules come from."""
