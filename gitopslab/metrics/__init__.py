"""What the reports conclude: functions from a query's rows to numbers, each with its n and its sentence."""
