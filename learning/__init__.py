"""History through the same handlers: where it comes from (real banks, shops, a simulator) and what is learned from it.

history reads a bank's past, churn_training makes a model of it, backtest measures one and report tells of it.
berka and cdnow turn real files into canonical transactions; simulator makes a bank's stream with known truth; replay
folds a file without a broker. Imports streams, handlers and schemas, never serving or commands.
"""
