"""What users ask for: impute, draw, forecast, evaluate, plan, save."""
