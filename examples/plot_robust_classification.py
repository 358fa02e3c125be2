"""
Classification for the worst weighting
======================================

Plain logistic regression minimises the *mean* loss. Where rare cases are costly, a model should fare well under other
weights as well: distributionally robust logistic regression lets an adversary weight the observations, at a price for
leaving equal weights, and minimises what the adversary makes of it. That is a saddle problem, and its solution comes
with a residual that says how well it was solved.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from numopt.estimators import DROLogisticRegression

X, y = load_breast_cancer(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)


def losses(model, X, y):
    """Return the logistic loss of each observation."""
    return -np.log(np.clip(model.predict_proba(X)[np.arange(len(y)), y], 1e-12, None))


# %%
# From the mean to the worst
# --------------------------
# The price ``rho`` leads from one to the other: on the training data the mean of the largest 5 % of the losses falls
# with the price. That is a promise about weights on *these* observations, not about others: on the test data, a cheap
# adversary makes the model chase the hardest cases, and the largest losses grow. Choose the price by validation.

plain = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(X, y)
prices = np.geomspace(0.1, 20, 6)
models = [DROLogisticRegression(C=1.0, rho=rho).fit(X, y) for rho in prices]
assert all(model.result_.success for model in models)


def tail(loss, share=0.05):
    """Return the mean of the largest losses."""
    return np.sort(loss)[-max(1, int(share * len(loss))) :].mean()


fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for data, style in (((X, y), "--"), ((X_test, y_test), "-")):
    name = "test" if style == "-" else "training"
    found = [losses(m, *data) for m in models]
    ax.semilogx(prices, [tail(loss) for loss in found], "tab:red", ls=style, label=f"largest 5 %, {name}")
    ax.semilogx(prices, [loss.mean() for loss in found], "tab:blue", ls=style, label=f"mean, {name}")
ax.axhline(tail(losses(plain, X_test, y_test)), color="tab:red", lw=0.7, ls=":")
ax.axhline(losses(plain, X_test, y_test).mean(), color="tab:blue", lw=0.7, ls=":")
ax.set(xlabel="price rho", ylabel="logistic loss", title="dotted: plain logistic regression, test", yscale="log")
ax.legend(fontsize=8)
plt.show()

# %%
# Whom the adversary chose
# ------------------------
# The weights are part of the answer: the observations that the model finds hardest carry the fit. Those are also the
# ones to look at for wrong labels.

model = models[1]
loss, weights = losses(model, X, y), model.weights_ * len(y)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for label, name, color in ((1, "benign", "tab:green"), (0, "malignant", "tab:orange")):
    ax.scatter(loss[y == label], weights[y == label], s=10, color=color, label=name)
ax.legend(frameon=False)
ax.set(xlabel="logistic loss", ylabel="weight times n", title=f"observations at rho = {prices[1]:.2g}", xscale="log")
plt.show()

print(f"relative residual {model.result_.certificate['relative_residual']:.1e} after {model.n_iter_} iterations")
print(f"weights above 1/n: {np.count_nonzero(model.weights_ > 1 / len(y))} of {len(y)}")
