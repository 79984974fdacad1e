"""Base learners over photographs, as scikit-learn estimators. They import nothing from the framework."""
